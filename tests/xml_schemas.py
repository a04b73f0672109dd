"""The published XML Schemas, in two validators that know nothing of each other."""

from io import BytesIO

import httpx
import xmlschema
from lxml import etree  # type: ignore[import-untyped]

from app.main import ANSWERS, REQUESTS
from app.wire import xsd
from app.wire.negotiation import is_aside
from app.wire.xml_reader import NAMESPACE

TEXTS = xsd.schemas(REQUESTS, ANSWERS)


class Schema:
    """One schema, in lxml and in xmlschema."""

    def __init__(self, text: bytes) -> None:
        self._lxml = etree.XMLSchema(etree.fromstring(text))
        self._xmlschema = xmlschema.XMLSchema10(BytesIO(text), allow="none")

    def complaint(self, document: bytes) -> str | None:
        """Say what is wrong with a document, if anything; both have to agree."""
        root = etree.fromstring(document)
        complaint = None if self._lxml.validate(root) else str(self._lxml.error_log)
        # Bytes would be taken for the address of a document.
        second = self._xmlschema.is_valid(BytesIO(document))
        assert second == (complaint is None), (document, complaint)
        return complaint


RESOURCES = Schema(TEXTS["floating_ips.xsd"])
TAKEN = Schema(TEXTS["requests.xsd"])
FAULTS = Schema(TEXTS["faults.xsd"])


def complaint_of_answer(document: bytes) -> str | None:
    """Say what is wrong with an answer, a refusal included."""
    is_fault = etree.QName(etree.fromstring(document)).namespace == NAMESPACE
    return (FAULTS if is_fault else RESOURCES).complaint(document)


async def check_answer(response: httpx.Response) -> None:
    """Fail for an XML answer that is not valid; an event hook of httpx's clients."""
    kind = response.headers.get("content-type")
    if kind != "application/xml" or is_aside(response.request.url.path):
        return
    document = await response.aread()
    if document:
        assert complaint_of_answer(document) is None, document
