"""``--products FILE``: other product rows for the simulated retailers, looked at before anything is started."""

from collections.abc import Collection
from pathlib import Path

from splitcart_sandbox.errors import SandboxError


def variables(products: Path | None, companies: Collection[str] = ()) -> dict[str, str]:
    """What the simulator is told of a file; nothing without one.

    SandboxError for a file it could not serve: the lines that are wrong, or that it has none of `companies`.
    """
    if products is None:
        return {}
    from splitcart_sandbox.retailers.imported import ProductsError, rows  # noqa: PLC0415 - numpy is slow to import

    try:
        found = rows(products)
    except ProductsError as error:
        raise SandboxError(str(error)) from None
    if companies and not found.keys() & set(companies):
        raise SandboxError(f"{products} has products of {', '.join(found)} only, not of {', '.join(companies)}")
    return {"SPLITCART_SIMULATOR_PRODUCTS": str(products.resolve())}
