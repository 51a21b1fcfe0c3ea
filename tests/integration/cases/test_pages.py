"""The list and a hazard's page, and the forms on it: for whom they are there, and what comes of them."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from tests.integration.cases.desk import HEAD, Desk
from tests.integration.cases.intake import BAZISHAN, beside


class Read(HTMLParser):
    """Visible words, and the forms: action → its hidden fields."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.forms: dict[str, dict[str, str]] = {}
        self._form = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = told.get("action", "")
            self.forms[self._form] = {}
        elif tag == "input" and told.get("type") == "hidden":
            self.forms[self._form][told["name"]] = told["value"]

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)

    def steps(self) -> set[str]:
        """Last parts of the addresses of a hazard's forms."""
        return {action.rsplit("/", 1)[-1] for action in self.forms if action.startswith("/cases/hazards/")}


async def fill(desk: Desk, who: str, hazard: str, step: str, **fields: str) -> httpx.Response:
    """Opens the page, fills in that form and sends it, as a browser without scripts does."""
    address = f"/cases/hazards/{hazard}"
    form = Read((await desk.page(who, address)).text).forms[f"{address}/{step}"]
    return await sent(desk, who, f"{address}/{step}", form | fields)


async def sent(desk: Desk, who: str, address: str, fields: dict[str, str]) -> httpx.Response:
    headers = {"Accept": "text/html", "Authorization": desk.headers(who)["Authorization"]}
    return await desk.town.http.post(address, data=fields, headers=headers)


async def test_the_list_shows_open_hazards_and_marks_those_that_are_late(desk: Desk) -> None:
    await desk.intake.tip()
    late = await desk.only()
    await desk.ordered(late, days=2)
    await desk.intake.tip(village=BAZISHAN, category="brick_plant")
    await desk.pass_time(days=4, hours=1)
    text = Read((await desk.page("clerk", "/cases/hazards")).text).text
    assert "隐患 001" in text and "隐患 002" in text
    assert "超期 3 天" in text and "谷秋实" in text and "独兰村" in text and "待下达三落实" in text
    only_late = Read((await desk.page("clerk", "/cases/hazards?overdue=yes&state=open&village=&category=")).text).text
    assert "隐患 001" in only_late and "隐患 002" not in only_late
    english = Read((await desk.page("clerk", "/cases/hazards?lang=en")).text).text
    assert "3 days late" in english and "Hazards" in english


async def test_the_list_turns_its_pages(desk: Desk) -> None:
    for n in range(32):
        await desk.intake.tip(place=beside(1000 * n))
    first = (await desk.page("clerk", "/cases/hazards?state=listed")).text
    assert first.count('scope="row"') == 30
    address = re.search(r'href="(\?[^"]*cursor=[^"]*)"', first)
    assert address is not None
    second = (await desk.page("clerk", "/cases/hazards" + address[1].replace("&amp;", "&"))).text
    assert [f"{n:03}" for n in (2, 1)] == re.findall(r"隐患 (\d{3})</a></th>", second)


async def test_a_browser_that_is_not_signed_in_goes_to_sign_in_and_comes_back(desk: Desk) -> None:
    answer = await desk.town.http.get("/cases/hazards?state=listed", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fcases%2Fhazards%3Fstate%3Dlisted"


async def test_everybody_finds_the_forms_they_may_send_and_no_others(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()

    async def offered(who: str) -> set[str]:
        return Read((await desk.page(who, f"/cases/hazards/{hazard}")).text).steps()

    assert await offered("inspector") == {"three-fix"}
    assert await offered("clerk") == await offered("village_head@dulan") == await offered("auditor") == set()
    await desk.ordered(hazard, responsible="p-keeper-dulan")
    for who in ("keeper@dulan", "village_head@dulan"):
        assert await offered(who) == {"completion", "extension-requests"}
    assert await offered("inspector") == await offered("designated_reporter@dulan") == set()
    await desk.done("keeper@dulan", hazard, "extension-requests", wanted_at=desk.in_days(9), reason="雪")
    assert await offered("office_director") == {"extension-approval", "leader"}
    await desk.done("keeper@dulan", hazard, "completion", report="已封堵")
    assert await offered("inspector") == {"acceptance", "rejection"}
    assert await offered("keeper@dulan") == set()


async def test_a_form_that_lacks_the_deadline_comes_back_filled_in_with_the_rule_beside_the_field(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    answer = await fill(
        desk, "inspector", hazard, "three-fix", measure="sealing", responsible=f"{HEAD}|dulan", measure_text="灌浆封堵"
    )
    assert answer.status_code == 409
    assert "“三落实”缺整改时限。" in answer.text
    assert re.search(r'id="deadline_at"[^>]*aria-invalid="true"', answer.text)
    assert '<option value="sealing" selected>' in answer.text
    assert f'<option value="{HEAD}|dulan" selected>' in answer.text
    assert "灌浆封堵" in answer.text
    assert (await desk.hazard(hazard))["state"] == "listed"


async def test_a_leader_is_put_in_charge_on_the_page_and_filtered_by(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    address = f"/cases/hazards/{hazard}"
    assert "尚未确定。" in (await desk.page("group_leader", address)).text
    nobody = await fill(desk, "group_leader", hazard, "leader")
    assert nobody.status_code == 422 and "请选择包联领导。" in nobody.text
    assert re.search(r'id="leader"[^>]*aria-invalid="true"', nobody.text)
    answer = await fill(desk, "group_leader", hazard, "leader", leader="p-deputy_leader-1")
    assert answer.status_code == 303
    page = (await desk.page("group_leader", address)).text
    assert "更换包联领导" in page and "确定包联领导" in page and "尚未确定。" not in page
    assert '<option value="p-deputy_leader-1"' not in page, "whoever is in charge is not offered again"
    silent = await fill(desk, "group_leader", hazard, "leader", leader="p-director")
    assert silent.status_code == 409 and "必须写明理由。" in silent.text
    assert '<option value="p-director" selected>' in silent.text
    assert "/leader" not in (await desk.page("inspector", address)).text
    for leader, there in (("nobody", False), ("p-deputy_leader-1", True), ("p-director", False), ("", True)):
        listed = (await desk.page("clerk", f"/cases/hazards?leader={leader}")).text
        assert (f'href="{address}"' in listed) is there, leader


async def test_the_whole_way_goes_by_forms_alone(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    order = {"measure": "sealing", "responsible": f"{HEAD}|dulan", "deadline_at": "2018-01-29T17:00"}
    answer = await fill(desk, "inspector", hazard, "three-fix", **order)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/hazards/{hazard}#now")
    assert (await desk.hazard(hazard))["deadline_at"] == "2018-01-29T09:00:00Z"
    head = "village_head@dulan"
    asked = {"wanted_at": "2018-02-05T17:00", "reason": "大雪封路"}
    assert (await fill(desk, head, hazard, "extension-requests", **asked)).status_code == 303
    address = f"/cases/hazards/{hazard}"
    form = Read((await desk.page("office_director", address)).text).forms[f"{address}/extension-approval"]
    silent = await sent(desk, "office_director", f"{address}/extension-refusal", form)
    assert "必须写明理由。" in silent.text and "<details" in silent.text and " open>" in silent.text
    assert (await fill(desk, "office_director", hazard, "extension-approval", reason="属实")).status_code == 303
    assert (await fill(desk, head, hazard, "completion", report="已封堵")).status_code == 303
    assert (await fill(desk, "inspector", hazard, "rejection", reason="不实")).status_code == 303
    assert (await fill(desk, head, hazard, "completion", report="再次封堵")).status_code == 303
    assert (await fill(desk, "inspector", hazard, "acceptance")).status_code == 303
    text = Read((await desk.page("clerk", address)).text).text
    for words in (
        "列入隐患清单",
        "下达三落实",
        "大雪封路",
        "同意延期",
        "验收不通过",
        "再次封堵",
        "验收通过",
        "销号",
        "谷秋实",
    ):
        assert words in text, words


async def test_corrections_are_told_in_words_with_what_they_changed(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    await desk.ordered(hazard)
    for field, value in {
        "mineral": {"code": "bauxite"},
        "responsible": {"ref": "p-keeper-dulan"},
        "responsible_unit": {"code": "safety_office"},
        "discovered_at": {"at": "2018-01-21T16:30:00Z"},
        "place": {"place": {"lat_e7": 379_123_400, "lon_e7": 1_120_000_000}},
        "summary": {"text": "两处井口"},
    }.items():
        await desk.done("clerk", hazard, "corrections", field=field, value=value, reason="核对有误")
    again = {"ref": "p-inspector-3"}
    await desk.done("clerk", hazard, "corrections", field="responsible", value=again, reason="核对有误")
    text = Read((await desk.page("clerk", f"/cases/hazards/{hazard}")).text).text
    text = re.sub(r"\s+", " ", text)
    for words in (
        "矿种 → 铝矾土",
        "责任人 → 木启程",
        "责任单位 → 安监办",
        "发现时间 → 2018-01-22 00:30",
        "→ 37.91234",
        "情况 → 两处井口",
    ):
        assert words in text, words
    seen_by_village = Read((await desk.page("village_head@dulan", f"/cases/hazards/{hazard}")).text).text
    assert "两处井口" not in seen_by_village and "00:30" not in seen_by_village and "核对有误" not in seen_by_village


async def test_a_form_of_a_page_that_is_out_of_date_changes_nothing(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    address = f"/cases/hazards/{hazard}"
    form = Read((await desk.page("inspector", address)).text).forms[f"{address}/three-fix"]
    await desk.done("clerk", hazard, "corrections", field="mineral", value={"code": "sand"}, reason="漏填")
    order = {"measure": "sealing", "responsible": f"{HEAD}|dulan", "deadline_at": "2018-01-29T17:00"}
    answer = await sent(desk, "inspector", f"{address}/three-fix", form | order)
    assert answer.status_code == 409
    assert "刚被他人更新" in answer.text
    assert (await desk.hazard(hazard))["state"] == "listed"


async def test_a_form_sent_twice_is_done_once(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    address = f"/cases/hazards/{hazard}"
    form = Read((await desk.page("inspector", address)).text).forms[f"{address}/three-fix"]
    order = form | {"measure": "sealing", "responsible": f"{HEAD}|dulan", "deadline_at": "2018-01-29T17:00"}
    for _ in range(2):
        assert (await sent(desk, "inspector", f"{address}/three-fix", order)).status_code == 303
    assert len(await desk.steps(hazard)) == 2


JUST_SIGNED = re.compile(r'id="just-signed">.*?class="line">([^<]*)<', re.DOTALL)


async def test_the_page_that_a_form_leads_to_offers_the_signed_receipt_and_no_later_one_does(desk: Desk) -> None:
    await desk.intake.tip()
    hazard, http = await desk.only(), desk.town.http
    refused = await fill(desk, "inspector", hazard, "three-fix", measure="sealing")
    assert refused.status_code == 409 and not http.cookies
    wanted = {"measure": "sealing", "responsible": f"{HEAD}|dulan", "deadline_at": "2018-01-29T17:00"}
    done = await fill(desk, "inspector", hazard, "three-fix", **wanted)
    assert done.status_code == 303 and http.cookies.get("minewatch_receipt") == done.headers["signed-receipt"]
    cookie = done.headers["set-cookie"].split("; ", 1)[1]
    assert cookie == "Path=/; HttpOnly; SameSite=Strict; Max-Age=60"
    next_page = (await desk.page("inspector", done.headers["location"])).text
    assert JUST_SIGNED.findall(next_page) == [done.headers["signed-receipt"]] and not http.cookies
    assert JUST_SIGNED.findall((await desk.page("inspector", done.headers["location"])).text) == []


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"deadline_at": "gestern"}, 422, "应为带时区的时间"),
        ({"measure_text": "长" * 2001, "deadline_at": "2018-01-29T17:00"}, 422, "太长"),
        ({"deadline_at": "2018-01-02T17:00"}, 409, "不能早于当前时间"),
    ],
)
async def test_what_does_not_fit_is_named(desk: Desk, fields: dict[str, str], status: int, words: str) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    answer = await fill(
        desk, "inspector", hazard, "three-fix", measure="sealing", responsible=f"{HEAD}|dulan", **fields
    )
    assert answer.status_code == status
    assert words in answer.text


async def test_forms_are_for_those_posts_only(desk: Desk) -> None:
    await desk.intake.tip()
    address = f"/cases/hazards/{await desk.only()}"
    answer = await sent(desk, "clerk", f"{address}/three-fix", {"measure": "sealing"})
    assert answer.status_code == 403
    headers = {"Accept": "text/html", "Authorization": desk.headers("inspector")["Authorization"]}
    elsewhere = await desk.town.http.post(
        f"{address}/three-fix", data={}, headers=headers | {"Sec-Fetch-Site": "cross-site"}
    )
    assert elsewhere.status_code == 403


async def test_pages_keep_to_the_content_security_policy(desk: Desk) -> None:
    await desk.intake.tip()
    for path in ("/cases/hazards", f"/cases/hazards/{await desk.only()}"):
        answer = await desk.page("inspector", path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(r"\sstyle=|\son[a-z]+=|<script|<style|https?://", answer.text.split("<main")[1])
