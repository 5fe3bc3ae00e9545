"""XML as sampler formats want it."""

from __future__ import annotations

from xml.etree import ElementTree


def document(root: ElementTree.Element) -> bytes:
    """A file: UTF-8, declared with double quotes as all examples have it, indented for people, and ended with a
    newline, without which one importer of `.multisample` loads nothing."""
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
