from .agreement import Agreement as Agreement
from .exported_model import ExportedModel as ExportedModel
from .exported_model import load_exported as load_exported
from .exporter import export as export
