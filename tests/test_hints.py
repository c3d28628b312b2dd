"""Every public function and method says what it takes and gives."""

import importlib
import inspect

import pytest

PACKAGES = ("estimators", "datasets", "photos", "pretext", "evaluation", "persistence")


def public_functions():
    for package in PACKAGES:
        module = importlib.import_module(f"sklearn_blades.{package}")
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield name, found
            for method, value in vars(found).items() if inspect.isclass(found) else ():
                function = getattr(value, "__func__", value)
                ours = inspect.isfunction(function) and "<" not in function.__code__.co_filename
                if ours and (method == "__init__" or not method.startswith("_")):
                    yield f"{name}.{method}", function


@pytest.mark.parametrize(
    ("name", "function"), [pytest.param(*both, id=both[0]) for both in public_functions()]
)
def test_public_functions_are_typed(name, function):
    if name == "PretextTask.__init__":  # typing makes it
        return
    signature = inspect.signature(inspect.unwrap(function))
    untyped = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
    ]
    assert not untyped
    assert name.endswith("__init__") or signature.return_annotation is not signature.empty
