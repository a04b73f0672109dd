"""What OpenAPI says of the network face alone: its refusals."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.faces import described
from app.faces.described import Declared
from app.wire.network import refusal_body


class NeutronFault(BaseModel):
    """Why the request was refused."""

    type: Annotated[
        str, Field(description="Its name.", examples=["FloatingIPNotFound"])
    ]
    message: Annotated[
        str,
        Field(
            description="A sentence with the value that was wrong and the rule.",
            examples=["Floating IP '99' was not found."],
        ),
    ]
    detail: Annotated[str, Field(description="Always empty.", examples=[""])]


class NeutronErrorBody(BaseModel):
    """A refusal."""

    NeutronError: Annotated[NeutronFault, Field(description="The refusal.")]


NAMES = {
    400: "InvalidInput",
    403: "PolicyNotAuthorized",
    404: "FloatingIPNotFound",
    409: "FloatingIPPortAlreadyAssociated",
    412: "RevisionNumberConstraintFailed",
    422: "Invalid",
    503: "ServiceUnavailable",
}
SENTENCES = {
    400: "sort_key 'status': must be one of created_at.",
    415: "Content-Type 'text/csv' cannot be read; send application/json.",
}


def refusals(*statuses: int) -> Declared:
    """Declare an operation's refusals, each as Neutron has it."""
    declared = described.refusals(*statuses)
    for status, refusal in declared.items():
        number = 500 if status == "default" else int(status)
        sentence = SENTENCES.get(number, described.SENTENCES[number])
        example = refusal_body(number, sentence, NAMES.get(number))
        refusal["model"] = NeutronErrorBody
        refusal["content"] = {"application/json": {"example": example}}
    return declared


def changes(*statuses: int) -> Declared:
    """Declare the refusals of a change, those of its Idempotency-Key among them."""
    return refusals(*statuses, 400, 409, 422)
