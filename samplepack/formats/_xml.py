"""XML files, as the importers of sampler formats accept them."""

from __future__ import annotations

from xml.etree import ElementTree


def document(root: ElementTree.Element) -> bytes:
    """The bytes of an XML file: UTF-8, indented, with a declaration in double quotes as in all examples of such files.

    It ends with a newline, without which one importer of `.multisample` loads nothing.
    """
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
