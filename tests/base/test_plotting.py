import io

import pytest

from samplepack.base import plotting
from samplepack.base.errors import InputError


def content(figure):
    figure.suptitle("A title")
    figure.subplots().plot([1, 2, 3])


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_picture_is_the_same_whatever_a_user_has_set(tmp_path, kind):
    import matplotlib

    plotting.draw(tmp_path / f"one.{kind}", (2, 1), content)
    with matplotlib.rc_context({"lines.linewidth": 9.0, "figure.facecolor": "red"}):
        plotting.draw(tmp_path / f"other.{kind}", (2, 1), content)
        assert matplotlib.rcParams["lines.linewidth"] == 9.0
    assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"other.{kind}").read_bytes()


def test_dollars_in_a_title_are_text(tmp_path):
    plotting.draw(tmp_path / "one.png", (2, 1), lambda figure: figure.suptitle("x$_$ and $\\frac{$"))


def test_a_stream_gets_a_png_and_other_kinds_are_refused(tmp_path):
    stream = io.BytesIO()
    plotting.draw(stream, (2, 1), content)
    assert stream.getvalue().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="should end in .png or .svg"):
        plotting.draw(tmp_path / "picture.jpg", (2, 1), content)
