"""The direction of imports: packages import downwards only, modules in no circle, and a name exists once.

``python -m tests.contract.test_imports`` prints packages and arrows; so does ``pytest -s`` on this file.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

LAYERS = (Path("layers/exporter"), Path("layers/analytics"))
EXPORTER, ANALYSIS = "findings_exporter", "findings_analysis"
FUNCTIONS = Path("functions")

# What each package may import of its own layer. Nothing else is allowed, so every arrow points downwards.
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    f"{EXPORTER}.steps": frozenset({"notification", "aws", "model"}),
    f"{EXPORTER}.preflight": frozenset({"notification", "aws", "model"}),
    f"{EXPORTER}.preview": frozenset({"notification", "aws", "model"}),
    f"{EXPORTER}.notification": frozenset({"model"}),
    f"{EXPORTER}.aws": frozenset({"model"}),
    f"{EXPORTER}.model": frozenset(),
    f"{ANALYSIS}.pipeline": frozenset({"failures", "pages", "parts", "output", "assessment", "comparison", "reading"}),
    f"{ANALYSIS}.pages": frozenset({"parts", "output", "page", "comparison"}),
    f"{ANALYSIS}.part_pipeline": frozenset({"failures", "parts"}),
    f"{ANALYSIS}.failures": frozenset({"parts", "output", "comparison", "reading"}),
    f"{ANALYSIS}.parts": frozenset({"output", "assessment", "comparison", "reading"}),
    f"{ANALYSIS}.output": frozenset({"assessment", "comparison", "reading"}),
    f"{ANALYSIS}.page": frozenset({"assessment", "comparison", "reading"}),
    f"{ANALYSIS}.assessment": frozenset({"comparison", "reading"}),
    f"{ANALYSIS}.comparison": frozenset({"reading"}),
    f"{ANALYSIS}.reading": frozenset(),
}
# What the analysis may import of the exporter: the model everywhere, the rest in the pipelines alone.
ANALYSIS_MAY_IMPORT = (f"{EXPORTER}.model",)
PIPELINE_MAY_IMPORT = (f"{EXPORTER}.aws", f"{EXPORTER}.notification.links")


def _modules() -> dict[str, Path]:
    files = ((layer, path) for layer in LAYERS for path in sorted(layer.rglob("*.py")) if (path.parts[2] in {EXPORTER, ANALYSIS}))
    return {".".join(path.relative_to(layer).with_suffix("").parts).removesuffix(".__init__"): path for layer, path in files}


MODULES = _modules()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    """Our modules that a file imports, wherever in it, for types alone as well."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            for each in node.names:
                full = f"{node.module}.{each.name}"
                yield from [full] if full in MODULES else [node.module] if node.module in MODULES else []
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in MODULES)


GRAPH = {name: frozenset(_imports(path)) - {name} for name, path in MODULES.items()}


def package(module: str) -> str:
    """The package of a module, or the module itself where it stands beside the packages."""
    return ".".join(module.split(".")[:2])


def arrows() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Which modules import which, by package."""
    found = defaultdict(list)
    for source, targets in GRAPH.items():
        for target in sorted(targets):
            if package(source) != package(target):
                found[package(source), package(target)].append((source, target))
    return dict(found)


def circle(graph: Mapping[str, frozenset[str]]) -> list[str]:
    """A circle of imports, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def is_allowed(source: str, target: str) -> bool:
    """Whether a module may import another one of another package."""
    if target in {EXPORTER, ANALYSIS}:
        return True  # the release, which has no imports
    layer, part = target.split(".")[:2]
    if source.startswith(f"{layer}."):
        return part in MAY_IMPORT.get(package(source), frozenset())
    allowed = (*ANALYSIS_MAY_IMPORT, *(PIPELINE_MAY_IMPORT if package(source).endswith(("pipeline", ".pages")) else ()))
    return layer == EXPORTER and any(f"{target}.".startswith(f"{each}.") for each in allowed)


def floors() -> dict[str, int]:
    """How many packages lie below each one, counted along the longest way down."""
    below = defaultdict(set)
    for source, target in arrows():
        below[source].add(target)

    @cache
    def floor(name: str) -> int:
        return 1 + max((floor(each) for each in below[name]), default=-1)

    return {name: floor(name) for name in sorted({package(module) for module in MODULES})}


def picture() -> str:
    """Packages with their floors, and the arrows between them with the number of imports."""
    sizes = Counter(map(package, MODULES))
    rows = [
        f"floor {floor}  {name}  ({sizes[name]} modules)" for name, floor in sorted(floors().items(), key=lambda each: -each[1])
    ]
    lines = [f"{source} -> {target}  ({len(pairs)})" for (source, target), pairs in sorted(arrows().items())]
    inside = sum(map(len, GRAPH.values()))
    total = f"{len(MODULES)} modules, {inside} imports; {len(rows)} packages, {len(lines)} arrows, {max(floors().values()) + 1} floors"
    return "\n".join([*rows, "", *lines, "", total])


def test_packages_import_downwards_only() -> None:
    print(f"\n{picture()}")
    upwards = {pair for pairs in arrows().values() for pair in pairs if not is_allowed(*pair)}
    assert upwards == set()


def test_every_package_has_its_place() -> None:
    assert {package(each) for each in MODULES} - {EXPORTER, ANALYSIS} == set(MAY_IMPORT)
    whole = {source: frozenset(f"{source.split('.')[0]}.{each}" for each in targets) for source, targets in MAY_IMPORT.items()}
    assert circle(whole) == [], "what is allowed has no circle itself"


def test_no_modules_import_each_other() -> None:
    assert circle(GRAPH) == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("findings_exporter.model.plan", "findings_exporter.aws.table"),
        ("findings_exporter.aws.run_store", "findings_exporter.steps.verify_report"),
        ("findings_exporter.notification.mail", "findings_exporter.aws.run_store"),
        ("findings_exporter.steps.notify", "findings_exporter.preflight.message"),
        ("findings_exporter.aws.handler", "findings_analysis.pipeline"),
        ("findings_analysis.page.rendering", "findings_analysis.output.headline"),
        ("findings_analysis.comparison.baseline", "findings_exporter.aws.run_store"),
        ("findings_analysis.pipeline", "findings_exporter.steps.verify_report"),
    ],
)
def test_an_arrow_upwards_or_aside_is_noticed(source: str, target: str) -> None:
    assert not is_allowed(source, target)


def test_a_circle_is_noticed() -> None:
    assert circle({"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"a"})})


def test_a_package_names_the_modules_that_others_import() -> None:
    used = {target for pairs in arrows().values() for _, target in pairs}
    used |= set(chain.from_iterable(_imports(path) for path in FUNCTIONS.glob("*/app.py")))
    unnamed = {
        each
        for each in used
        if each.count(".") == 2  # layer, package, module
        and each.rpartition(".")[2] not in _words(MODULES[package(each)])
    }
    assert unnamed == set()


def test_a_name_exists_once() -> None:
    places = defaultdict(list)
    for module, path in MODULES.items():
        if not _is_of_a_language(module):
            for name in _names(path):
                places[name].append(module)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def _is_of_a_language(module: str) -> bool:
    """Texts have one module a language, and the same names in each."""
    return module.endswith(("_en", "_ja"))


def _names(path: Path) -> Iterator[str]:
    """The classes, types and constants of a module; one that begins with an underscore is the module's own."""
    for node in _tree(path).body:
        match node:
            case ast.ClassDef(name=name) | ast.TypeAlias(name=ast.Name(id=name)):
                yield from [] if name.startswith("_") else [name]
            case ast.Assign(targets=targets):
                names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
                yield from (name for name in names if name.isupper() and not name.startswith("_"))
            case ast.AnnAssign(target=ast.Name(id=name)) if name.isupper() and not name.startswith("_"):
                yield name


def _words(path: Path) -> set[str]:
    """What a package's ``__init__`` names: in its docstring as ``code``, or by an import of its own."""
    documented = (ast.get_docstring(_tree(path)) or "").replace("`", " ").replace(",", " ").replace(".", " ").split()
    return {*documented, *(each.rpartition(".")[2] for each in _imports(path))}


if __name__ == "__main__":
    print(picture())
