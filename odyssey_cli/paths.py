"""Where things are in this checkout. Everything made at run time lives in `.odyssey/`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".odyssey"
VENV = STATE / "venv"
CLOUD_VENV = STATE / "cloud"
NODE_MODULES = ROOT / "node_modules"
CDK_CLI = NODE_MODULES / "aws-cdk" / "bin" / "cdk"
