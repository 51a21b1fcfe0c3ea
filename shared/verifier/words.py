"""Every doubt there can be: what is wrong, in Chinese and in English. The names in braces are filled in where it is found."""

WORDS = {
    # what a checkpoint and a policy say
    "checkpoint_form": ("检查点无法读取：{why}", "the checkpoint cannot be read: {why}"),
    "signature": ("检查点的签名不符：{why}", "a signature of the checkpoint does not fit: {why}"),
    "quorum": ("检查点的签名不满足您的见证规则：{why}", "the checkpoint does not meet your policy: {why}"),
    "origin": ("{origin} 不是本系统日志的名称", "{origin} is no name of a log of this system"),
    "service": ("文件夹 {folder} 里是 {service} 的日志", "the folder {folder} holds the log of {service}"),
    "log_absent": (
        "应有 {service} 的日志，这里没有：整个文件夹被抽走，或只导出了部分服务（用 --service 写明要核验哪些）",
        "the log of {service} should be here and is not: its folder was left out, or only some services were exported (then say "
        "with --service which of them)",
    ),
    "no_log": ("{folder} 里没有检查点，无从验证", "{folder} has no checkpoint and cannot be verified"),
    # files
    "file_missing": ("缺少文件 {file}", "the file {file} is missing"),
    "file_long": ("文件 {file} 超过 {most} 字节", "the file {file} has more than {most} bytes"),
    "file_stray": ("多出文件 {file}，此长度的日志没有它", "the file {file} does not belong to a log of this size"),
    "bundle_short": (
        "{file} 被截断：应有 {wanted} 个事件，只读到 {there} 个",
        "{file} is cut off: {there} of {wanted} events can be read",
    ),
    "bundle_trailing": ("{file} 末尾多出 {bytes} 字节", "{file} has {bytes} bytes too many at its end"),
    "tile_length": ("{file} 应为 {wanted} 字节，实为 {there} 字节", "{file} has {there} bytes, not {wanted}"),
    # the tree
    "leaf": (
        "事件的字节与哈希瓦片 tile/0 第 {index} 块第 {nth} 格不符：二者必有一个被改过",
        "the event's bytes are not those whose hash stands in tile/0, tile {index}, place {nth}: one of the two was altered",
    ),
    "tile_hash": (
        "哈希瓦片 tile/{level} 第 {index} 块第 {nth} 格与其下的事件不符",
        "tile/{level}, tile {index}, place {nth} is not the hash of the events below it",
    ),
    "root": (
        "前 {size} 个事件算出的根是 {there}，检查点签的是 {wanted}：有事件被改、删、插或调换",
        "the first {size} events have the root {there}, the checkpoint is about {wanted}: events were altered, dropped, inserted "
        "or swapped",
    ),
    "lineage": (
        "日志称从前 {size} 个事件、根 {wanted} 恢复而来，算出的根却是 {there}",
        "the log says it was restored from {size} events with the root {wanted}, but the root there is {there}",
    ),
    "lineage_size": (
        "日志称从前 {size} 个事件恢复而来，自己却只有 {there} 个",
        "the log says it was restored from {size} events and has only {there} itself",
    ),
    "known": (
        "与您保存的检查点不符：前 {size} 个事件当时的根是 {wanted}，现在是 {there}",
        "this contradicts the checkpoint you kept: the root of the first {size} events was {wanted} and is {there} now",
    ),
    "known_size": (
        "您保存的检查点有 {size} 个事件，这里只有 {there} 个：尾部被截去",
        "the checkpoint you kept has {size} events, here are only {there}: the end was cut off",
    ),
    "known_origin": ("您保存的检查点属于另一日志 {origin}", "the checkpoint you kept is of another log, {origin}"),
    # what an event says of itself
    "json": ("不是 JSON 对象：{why}", "no JSON object: {why}"),
    "doubled": ("名称 {name} 出现两次", "the name {name} is there twice"),
    "number": ("数 {number} 不是可精确保存的整数", "the number {number} is no integer that is kept exactly"),
    "canonical": (
        "不是规范形式（RFC 8785），从第 {at} 个字符起：{there}",
        "not in canonical form (RFC 8785), from character {at} on: {there}",
    ),
    "attribute": ("信封属性 {name} 缺失或形式不符", "the attribute {name} is missing or not in its form"),
    "source": ("来源是 {source}，而日志属于 {wanted}", "its source is {source}, the log is that of {wanted}"),
    "first": (
        "流 {stream} 第 {version} 版：第一版不得有 prev，其余必须有",
        "stream {stream}, version {version}: the first version has no prev, every other has one",
    ),
    "late": ("记录时间 {recorded} 晚于 {latest}", "it says it was recorded at {recorded}, after {latest}"),
    # what only the whole shows
    "version": (
        "它在其流中自称第 {version} 版，应为第 {wanted} 版：缺事件或多事件",
        "it calls itself version {version} of its stream where {wanted} follows: an event is missing or too many",
    ),
    "prev": (
        "第 {version} 版的 prev 不是同一流上一事件的哈希",
        "the prev of version {version} is not the leaf of the event before it in its stream",
    ),
    "event_id": ("事件编号 {event} 已在第 {first} 号用过", "its id {event} is that of event {first}, too"),
    "heads_form": ("流首声明（data.heads）形式不符", "its statement of heads (data.heads) is not in its form"),
    "heads_late": (
        "流首声明说的是前 {size} 个事件，不在它之前",
        "its statement of heads is about {size} events, which are not those before it",
    ),
    "heads": (
        "它声明前 {size} 个事件有 {said} 个流及其流首，实有 {there} 个流，或流首不同",
        "it states the heads of {said} streams after {size} events; there are {there}, or their heads are others",
    ),
    # proofs and receipts
    "proof_form": ("证明文件无法读取：{why}", "the proof cannot be read: {why}"),
    "inclusion": ("证明不成立：{why}", "the proof does not hold: {why}"),
    "receipt_form": ("回执无法读取：{why}", "the receipt cannot be read: {why}"),
    "receipt_key": (
        "回执没有可信的签名：您的规则里没有 {name} 的公钥，或它没有签",
        "no trusted key signed the receipt: your policy has no key of {name}, or it did not sign",
    ),
    "receipt_origin": ("回执属于另一日志 {origin}", "the receipt is of another log, {origin}"),
    "receipt_leaf": (
        "回执上的事件 {leaf} 不在这 {size} 个事件之中：它被删、被改，或晚于检查点",
        "the event {leaf} of the receipt is not among these {size}: it was dropped or altered, or is later than the checkpoint",
    ),
    "receipt_time": (
        "回执上的记录时间是 {said}，事件里是 {there}",
        "the receipt says it was recorded at {said}, the event says {there}",
    ),
    # evidence packs
    "zip": ("压缩包无法读取：{why}", "the zip cannot be read: {why}"),
    "zip_name": ("压缩包内的名称 {name} 不可接受", "the zip holds an unacceptable name, {name}"),
    "zip_doubled": ("压缩包内 {name} 出现两次", "the zip holds {name} twice"),
    "zip_large": ("压缩包展开后过大：{name}", "the zip unpacks to too much: {name}"),
    "stray": ("多出文件 {file}，清单里没有它", "the file {file} does not belong to the pack"),
    "no_section": ("压缩包里没有任何一个服务的部分", "the pack has no service's part"),
    "list_form": ("{file} 无法读取：{why}", "{file} cannot be read: {why}"),
    "list_origin": (
        "{file} 说的是日志 {origin}，检查点是 {wanted}",
        "{file} is about the log {origin}, the checkpoint is of {wanted}",
    ),
    "event_missing": ("清单里的事件不在压缩包内", "the event is listed and not in the pack"),
    "event_extra": ("事件在压缩包内而不在清单里", "the event is in the pack and not listed"),
    "proof_other": ("证明文件用的不是这一部分的检查点", "the proof is on another checkpoint than this part's"),
    "proof_index": ("证明文件证明的是第 {there} 号", "the proof is about event {there}"),
    "statement": ("清单指定的流首声明不在压缩包内", "the statement of heads that is named is not in the pack"),
    "foreign": ("它的流 {stream} 不在清单之列", "its stream {stream} is not one that the pack is about"),
    "after": ("它晚于流首声明所说的前 {size} 个事件", "it is later than the {size} events that the statement is about"),
    "gap": (
        "流 {stream} 的第 {version} 版不在压缩包内：有事件被抽走",
        "version {version} of the stream {stream} is not in the pack: an event was left out",
    ),
    "twice": ("流 {stream} 的第 {version} 版有两个", "version {version} of the stream {stream} is there twice"),
    "head": (
        "流 {stream} 并非以第 {version} 版结束：有后续事件被抽走，或清单被改：{why}",
        "the stream {stream} does not end with version {version}: what follows was left out, or the list was altered: {why}",
    ),
    "about": (
        "打开记录说本包涉及流 {stream}，包里却没有它",
        "the record of the opening says that the pack is about {stream}, and it is not there",
    ),
    "unasked": (
        "清单列入了流 {stream}，打开记录却没有提到它",
        "the list has the stream {stream}, which the record of the opening is not about",
    ),
    "no_order": (
        "它不是证据包的调阅记录，或没有写明调阅哪些记录",
        "it is not the order of an evidence pack, or says of no record that it was ordered",
    ),
    "pages_form": (
        "关于 README 和 timeline 的签名无法读取：{why}",
        "what is signed about README and timeline cannot be read: {why}",
    ),
    "pages_other": (
        "README 和 timeline 的签名属于另一次调阅",
        "what is signed about README and timeline belongs to another order",
    ),
    "pages_unsigned": (
        "{name} 没有为 README 和 timeline 签名：签名被抽走，或由他人所签",
        "{name} did not sign README and timeline: its signature was left out, or somebody else signed",
    ),
    "page": (
        "{file} 不是出包服务所签的那一份：被改动过",
        "{file} is not the one that the service signed: it was altered",
    ),
    "pack_form": ("调阅记录中的 data.pack 形式不符", "what it says of the pack (data.pack) is not in its form"),
    "part_missing": (
        "{told} 部分的调阅记录写明本包有 {service} 的部分，包里却没有：整个部分被抽走",
        "by the order in the part of {told} the pack has a part of {service}, and it is not there: it was left out whole",
    ),
    "part_extra": (
        "{told} 部分的调阅记录没有提到 {service} 的部分，包里却有",
        "the pack has a part of {service}, which the order in the part of {told} does not name",
    ),
    "part_other": (
        "{part} 与 {other} 的部分不属于同一次调阅：有的部分取自另一个证据包",
        "the parts of {part} and of {other} are of different orders: some of them come from another pack",
    ),
    "file_hash": (
        "文件 {file} 的内容与其名称（SHA-256）不符",
        "the content of {file} is not that of its name (SHA-256)",
    ),
    "file_unnamed": ("没有任何事件提到文件 {file}", "no event names the file {file}"),
    "file_absent": ("事件提到的文件 {file} 不在压缩包内", "the event names the file {file}, which is not in the pack"),
}
"""Code -> (Chinese, English)."""
