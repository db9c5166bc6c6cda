"""`mia-tui help`."""

from cli_support import Mia

from mia_tui.tui.manual.text import TOPICS, page


def test_without_a_topic_all_pages_are_listed(mia: Mia) -> None:
    out = mia("help").out
    assert all(f"{name} " in out and title in out for name, title in TOPICS.items())


def test_in_a_pipe_a_page_is_markdown(mia: Mia) -> None:
    assert mia("help", "training").out == page("training", {}).rstrip() + "\n"


def test_words_are_searched_on_all_pages(mia: Mia) -> None:
    assert mia("help", "--find", "layers skipped").out.startswith("settings, Network: ")
    nothing = mia("help", "--find", "hamster")
    assert nothing.code == 2 and "Nothing of that stands in the manual." in nothing.err


def test_an_unknown_page_is_one_sentence_with_the_pages_there_are(mia: Mia) -> None:
    result = mia("help", "hamster")
    assert result.code == 2 and "has no page 'hamster'" in result.err and "labelling" in result.err
