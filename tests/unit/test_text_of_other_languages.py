"""Names inside of Markdown and YAML, where other programs read them."""

import pytest

from mia_tui.text import markdown_text, yaml_text


@pytest.mark.parametrize(
    ("name", "text"),
    [("round", '"round"'), ('a"b\\c\n', '"a\\"b\\\\c\\\\x0a"'), ("no", '"no"'), ("a: b #c", '"a: b #c"')],
)
def test_a_name_is_one_string_of_yaml(name: str, text: str) -> None:
    assert yaml_text(name) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("<b>_x_ | [y](z) & `w`", r"&lt;b&gt;\_x\_ \| \[y\](z) &amp; \`w\`"),
        ("# head", r"\# head"),
        ("![a](http://b)", r"!\[a\](http\://b)"),
        ("see www.a.b", r"see www\.a.b"),
        ("12. day", r"12\. day"),
        ("- left", r"\- left"),
        ("0.1.0", "0.1.0"),
        ("resnet18 (seed 0): 1,149 images, 0.925.", "resnet18 (seed 0): 1,149 images, 0.925."),
        ("20261129-2342-resnet18", "20261129-2342-resnet18"),
    ],
)
def test_a_name_is_plain_text_in_markdown(name: str, text: str) -> None:
    assert markdown_text(name) == text
