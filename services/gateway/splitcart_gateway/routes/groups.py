"""GET /groups: which stores share prices, the evidence for it, and how it came about."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from splitcart_gateway import problems
from splitcart_gateway.context import Gateway, check_company, gateway_of
from splitcart_gateway.domain.groups import GroupWithMembers
from splitcart_gateway.problems import Problem
from splitcart_gateway.routes.answers import decision_out, group_out, json, member_out
from splitcart_gateway.schemas.answers import GroupAnswer, GroupHistoryAnswer, GroupsAnswer
from splitcart_gateway.schemas.parameters import GroupHistoryQuery, GroupsQuery, NoQuery, StoreKey

router = APIRouter(prefix="/api/v1", tags=["groups"])


@router.get("/groups", summary="Groups, largest first", responses={200: {"model": GroupsAnswer}})
async def list_groups(request: Request, query: Annotated[GroupsQuery, Query()]) -> Response:
    """Groups of stores that share prices, largest first. A store on its own is a group of one."""
    check_company(query.company)
    gateway = gateway_of(request)
    total, groups = await gateway.read.groups(query.company, query.at_least, query.limit)
    return json({"total": total, "items": [group_out(group, gateway.book) for group in groups]})


@router.get("/groups/{store}", summary="The group of a store", responses={200: {"model": GroupAnswer}})
async def get_group(
    request: Request,
    store: Annotated[StoreKey, Path()],
    query: Annotated[NoQuery, Query()],  # noqa: ARG001 - its presence refuses parameters
) -> Response:
    """The group a store belongs to, with the evidence for each of its members; the anchor comes first."""
    gateway = gateway_of(request)
    found = await _group(gateway, store)
    answer: dict[str, Any] = group_out(found.group, gateway.book)
    answer["stores"] = [member_out(member, gateway.book) for member in found.members]
    return json(answer)


@router.get(
    "/groups/{store}/history", summary="What was decided about it", responses={200: {"model": GroupHistoryAnswer}}
)
async def get_group_history(
    request: Request, store: Annotated[StoreKey, Path()], query: Annotated[GroupHistoryQuery, Query()]
) -> Response:
    """The decisions that concern a store or the anchor of its group, newest first."""
    gateway = gateway_of(request)
    found = await _group(gateway, store)
    decisions = await gateway.read.decisions({store, found.group.anchor}, query.limit)
    return json({"store": store, "anchor": found.group.anchor, "items": [decision_out(one) for one in decisions]})


async def _group(gateway: Gateway, store: str) -> GroupWithMembers:
    await gateway.store(store)
    found = await gateway.read.group_of(store)
    if found is None:
        raise Problem(
            problems.NOT_GROUPED,
            f"{store} has not been put into a group yet: that happens soon after it is discovered.",
            groups="/api/v1/groups",
        )
    return found
