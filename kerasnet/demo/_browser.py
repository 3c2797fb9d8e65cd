"""The page on which exported models run in the browser, with onnxruntime-web."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from kerasnet.demo._limits import CONTENT_SECURITY_POLICY
from kerasnet.demo._models import DigitModel
from kerasnet.errors import KerasNetError

_RUNTIME = {"ort.wasm.bundle.min.mjs": "text/javascript", "ort-wasm-simd-threaded.wasm": "application/wasm"}
_PAGE = Path(__file__).parent / "static" / "browser.html"
_POLICY = CONTENT_SECURITY_POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")


def check_runtime(folder: str | os.PathLike[str]) -> Path:
    """Return the folder of onnxruntime-web; raise FileNotFoundError if its files are not there."""
    path = Path(folder)
    for name in _RUNTIME:
        if not (path / name).is_file():
            raise FileNotFoundError(
                f"{path}: expected the folder node_modules/onnxruntime-web/dist, with {' and '.join(_RUNTIME)}. "
                "Install it with: npm install onnxruntime-web"
            )
    return path


def browser_routes(models: Sequence[DigitModel], runtime: Path) -> list[Route]:
    """Return the routes of the page, of the exported models, and of two files of the runtime.

    Raises
    ------
    KerasNetError
        If no model is exported.
    """
    exported = {f"exported/{number}.onnx": model for number, model in enumerate(models) if model.exported}
    if not exported:
        raise KerasNetError("onnxruntime-web runs exported models: add an .onnx file of kn.export to the models.")
    facts = [
        {
            "name": model.name,
            "file": file,
            "accuracy": model.accuracy,
            "classes": model.classes,
            "dtype": model.dtype,
            "shape": model.sample_shape,
            "image_size": model.image_size,
        }
        for file, model in exported.items()
    ]

    def show_page(request: Request) -> Response:
        return FileResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

    return [
        Route("/browser", show_page),
        Route("/exported", lambda request: JSONResponse(facts)),
        *(_file(f"/{file}", model.exported, "application/octet-stream") for file, model in exported.items()),
        *(_file(f"/onnxruntime-web/{name}", runtime / name, kind) for name, kind in _RUNTIME.items()),
    ]


def _file(route: str, path: Path | None, media_type: str) -> Route:
    assert path is not None
    return Route(route, lambda request: FileResponse(path, media_type=media_type))
