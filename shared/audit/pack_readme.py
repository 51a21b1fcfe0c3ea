"""README.txt of an evidence pack: what it is, and how to verify it with nothing of ours but one file that can be read."""

from collections.abc import Sequence

from shared.audit.pack import Section
from shared.audit.pack_pages import Told
from shared.audit.pack_timeline import event_file

ZH = """\
矿巡 minewatch · 证据包
{title}

一、这是什么
  timeline.html、timeline.pdf    办理过程，供阅读和打印
  minewatch-verify.pyz           核验程序，可用任何解压工具打开阅读源码
  policy                         出包一方的 policy，仅供参考，核验时请用您自己的
  以下每个服务一个文件夹（{services}）：
  …/events/      事件的原始字节，一个事件一个文件，文件名是它在日志中的位置号
  …/proofs/      每个事件在日志之中的证明（C2SP tlog-proof）
  …/checkpoint   签了名的检查点：日志的名称、事件总数、根校验值，以及日志和见证单位的签名
  …/pack.json    本包列入哪些记录，每条记录到第几项，以及完整性声明的位置
  …/files/       事件提到的文件，文件名是其 SHA-256；以 .sealed 结尾的，密钥已销毁，只剩加密内容

二、怎样核验
  需要 Python 3.11 以上和 cryptography 程序包，不需要本系统，也不需要联网：

      python minewatch-verify.pyz PACK.zip --policy 您的policy

  退出码：0 全部证实；1 有疑点，并指出第一个有问题的位置；2 不能读取。

三、您的 policy
  policy 文件写明谁的签名算数：日志的公钥，见证单位的公钥，以及需要几家。请向各见证单位（公安、国土、监察）
  和审计部门直接索取公钥，自己写成 policy，或使用本单位先前保存的那一份。不要使用包内的公钥：出包的人可以换包，
  也就可以换包里的公钥。核验程序最好也用先前保存的那一份；文件必须逐字节相同，可比对 SHA-256。
  要连同本文和 timeline 一起核验，再向出包单位索取各服务的回执公钥（GET /服务/v1/log 中的 receipt_vkey），
  写进 policy 的 log 行，或用 --receipt-key 给出。

四、能证明什么
  证明：这些事件在见证单位签名时就在日志中，没有改动；每条记录从第 1 项到所列最后一项一项不少；最后一项之后，
  直到完整性声明之时，没有别的事件。每一部分的调阅记录都写明本包由哪些服务的部分组成：整个部分被抽走，或换成别的
  证据包里的，核验程序会指出。不能证明：记录的内容当初是否属实。
  事件中的文字是加密封存的，证明是对加密后的字节作出的；打开的文字见 timeline.html。打开的文字和本文由出包的服务
  签名（pack.json 中的 pages）：有了它的回执公钥，核验程序会指出页面被改动；没有，则说明未证明。见证单位没有签这些页面。

五、事件清单
"""

EN = """\

------------------------------------------------------------------------------------------------------------------------
minewatch · evidence pack
{title}

1. What this is
  timeline.html, timeline.pdf    what happened, to read and to print
  minewatch-verify.pyz           the verifier; any unzip program opens it, to read its source
  policy                         the town's own policy: a suggestion, verify with yours
  and one folder for each service ({services}):
  …/events/      the exact bytes of the events, a file each, named after its position in the log
  …/proofs/      the proof that each event is in the log (C2SP tlog-proof)
  …/checkpoint   a signed checkpoint: the log's name, its size, its root, signed by the log and by witnesses
  …/pack.json    which records are in this pack, up to which version, and where the statement of completeness stands
  …/files/       files that events name, named after their SHA-256; of one ending in .sealed only ciphertext is left, its key is
                 destroyed

2. How to verify
  It takes Python 3.11 or later and the package cryptography; nothing of this system, and no network:

      python minewatch-verify.pyz PACK.zip --policy your-policy

  Exit code: 0 all proven; 1 a doubt, with the first place that is wrong; 2 it cannot be read.

3. Your policy
  The policy says whose signatures count: the log's key, the witnesses' keys, and how many of them. Get the keys from the
  witnesses themselves (police, land bureau, discipline body) and from the auditors, and write the policy yourself, or use the one
  that your office kept. Take no key from this pack: whoever can swap the pack can swap the keys in it. The same goes for the
  verifier: better use the copy you kept; the file must be the same byte by byte, so compare its SHA-256.
  To have this text and the timeline verified too, get the key for receipts of each service (receipt_vkey of GET /SERVICE/v1/log)
  from who gave the pack; put it into the policy as a log line, or give it as --receipt-key.

4. What is proven
  That these events were in the log when the witnesses signed, unaltered; that each record is whole from version 1 to the last one
  listed; and that nothing followed in it until the statement of completeness. The order in each part names the services whose
  parts the pack has: a part that was left out whole, or that comes from another pack, is found. Not proven: that what was
  recorded is true.
  Texts in the events are sealed, and the proof is over the sealed bytes; the opened texts are in timeline.html. Those and this
  text are signed by the services that gave the pack ("pages" in pack.json): with a service's key for receipts the verifier finds
  a page that was altered; without it, it says that they are not proven. No witness signed the pages.

5. The events
"""


def readme(sections: Sequence[Section], told: Told) -> str:
    services = ", ".join(section.service for section in sections)
    zh, en = (part.format(title=told.title, services=services) for part in (ZH, EN))
    listed = "".join(f"  {event_file(e.section, e.position)}  {e.title[0]} {e.title[1]}\n" for e in told.entries)
    return zh + listed + en + listed
