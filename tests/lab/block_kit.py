"""Block Kit's rules: what Slack refuses with `invalid_blocks`. It only judges; rendering is Slack's."""

from collections.abc import Iterator

_MOST_BLOCKS = 50
_BLOCK_ID = 255
_SECTION_TEXT = 3000
_HEADER_TEXT = 150
_FIELDS, _FIELD_TEXT = 10, 2000
_CONTEXT_ELEMENTS = 10
_ACTION_ELEMENTS = 25
_BUTTON_TEXT, _ACTION_ID, _VALUE, _URL = 75, 255, 2000, 3000
_STYLES = ("primary", "danger")
_ALLOWED = {
    "section": {"text", "fields", "accessory", "expand"},
    "header": {"text"},
    "context": {"elements"},
    "actions": {"elements"},
    "divider": set(),
    "image": {"image_url", "slack_file", "alt_text", "title"},
    "rich_text": {"elements"},
    "markdown": {"text"},
}
_ELEMENTS = {
    "button",
    "static_select",
    "overflow",
    "users_select",
    "datepicker",
    "image",
    "checkboxes",
    "radio_buttons",
}


def problems(blocks: list) -> list[str]:
    """What is wrong, in Slack's words; empty when Slack would take the blocks."""
    found = []
    if len(blocks) > _MOST_BLOCKS:
        found.append(f"no more than {_MOST_BLOCKS} items allowed [json-pointer:/blocks]")
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        found += [f"{problem} [json-pointer:/blocks/{index}{where}]" for where, problem in _block(block, seen)]
    return [f"[ERROR] {one}" for one in found]


_Problem = tuple[str, str]


def _block(block, seen: set[str]) -> Iterator[_Problem]:
    if not isinstance(block, dict) or block.get("type") not in _ALLOWED:
        yield "/type", f"unsupported type: {block.get('type') if isinstance(block, dict) else block}"
        return
    unknown = block.keys() - _ALLOWED[block["type"]] - {"type", "block_id"}
    if unknown:
        yield "", f"additional properties are not allowed: {', '.join(sorted(unknown))}"
    yield from _block_id(block, seen)
    rules = {"section": _section, "header": _header, "context": _context, "actions": _actions, "image": _image}
    if block["type"] in rules:
        yield from rules[block["type"]](block)


def _block_id(block: dict, seen: set[str]) -> Iterator[_Problem]:
    name = block.get("block_id")
    if name is None:
        return
    if not isinstance(name, str) or not 0 < len(name) <= _BLOCK_ID:
        yield "/block_id", f"must be less than {_BLOCK_ID + 1} characters"
    elif name in seen:
        yield "/block_id", f"`block_id` {name} already exists"
    seen.add(str(name))


def _section(block: dict) -> Iterator[_Problem]:
    if not block.get("text") and not block.get("fields"):
        yield "", "missing required field: text"
    if "text" in block:
        yield from _text(block["text"], "/text", _SECTION_TEXT, ("mrkdwn", "plain_text"))
    fields = block.get("fields", [])
    if len(fields) > _FIELDS:
        yield "/fields", f"no more than {_FIELDS} items allowed"
    for index, one in enumerate(fields):
        yield from _text(one, f"/fields/{index}", _FIELD_TEXT, ("mrkdwn", "plain_text"))
    if "accessory" in block:
        yield from _element(block["accessory"], "/accessory")


def _header(block: dict) -> Iterator[_Problem]:
    yield from _text(block.get("text"), "/text", _HEADER_TEXT, ("plain_text",))


def _context(block: dict) -> Iterator[_Problem]:
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= _CONTEXT_ELEMENTS:
        yield "/elements", f"between 1 and {_CONTEXT_ELEMENTS} items required"
    for index, one in enumerate(elements):
        if isinstance(one, dict) and one.get("type") == "image":
            yield from _image(one, f"/elements/{index}")
        else:
            yield from _text(one, f"/elements/{index}", _SECTION_TEXT, ("mrkdwn", "plain_text"))


def _actions(block: dict) -> Iterator[_Problem]:
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= _ACTION_ELEMENTS:
        yield "/elements", f"between 1 and {_ACTION_ELEMENTS} items required"
    names = [one.get("action_id") for one in elements if isinstance(one, dict) and one.get("action_id")]
    if len(names) != len(set(names)):
        yield "/elements", "`action_id` must be unique within the block"
    for index, one in enumerate(elements):
        yield from _element(one, f"/elements/{index}")


def _image(block: dict, where: str = "") -> Iterator[_Problem]:
    if not block.get("alt_text"):
        yield where, "missing required field: alt_text"
    if not block.get("image_url") and not block.get("slack_file"):
        yield where, "missing required field: image_url"


def _element(element, where: str) -> Iterator[_Problem]:
    if not isinstance(element, dict) or element.get("type") not in _ELEMENTS:
        yield f"{where}/type", "unsupported element type"
        return
    if len(str(element.get("action_id", ""))) > _ACTION_ID:
        yield f"{where}/action_id", f"must be less than {_ACTION_ID + 1} characters"
    if element["type"] == "button":
        yield from _button(element, where)
    if element["type"] == "image":
        yield from _image(element, where)


def _button(button: dict, where: str) -> Iterator[_Problem]:
    yield from _text(button.get("text"), f"{where}/text", _BUTTON_TEXT, ("plain_text",))
    if len(str(button.get("value", ""))) > _VALUE:
        yield f"{where}/value", f"must be less than {_VALUE + 1} characters"
    if len(str(button.get("url", ""))) > _URL:
        yield f"{where}/url", f"must be less than {_URL + 1} characters"
    if button.get("style") not in (None, *_STYLES):
        yield f"{where}/style", "must be one of: primary, danger"
    if "confirm" in button:
        yield from _confirm(button["confirm"], f"{where}/confirm")


def _confirm(confirm, where: str) -> Iterator[_Problem]:
    limits = (
        ("title", 100, ("plain_text",)),
        ("text", 300, ("mrkdwn", "plain_text")),
        ("confirm", 30, ("plain_text",)),
        ("deny", 30, ("plain_text",)),
    )
    for name, limit, kinds in limits:
        yield from _text(confirm.get(name), f"{where}/{name}", limit, kinds)


def _text(text, where: str, limit: int, kinds: tuple[str, ...]) -> Iterator[_Problem]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield where, f"must be a text object of type {' or '.join(kinds)}"
        return
    content = text.get("text")
    if not isinstance(content, str) or not content:
        yield f"{where}/text", "must be more than 0 characters"
    elif len(content) > limit:
        yield f"{where}/text", f"must be less than {limit + 1} characters"
