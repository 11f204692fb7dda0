"""The dashboard's start: `python integrated_system.py dashboard`, or plainly `streamlit run dashboard/app.py`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Streamlit puts this folder first; then `dashboard.x` would load twice, and a file here could shadow a package of ours.
sys.path[:] = [str(ROOT), *(path for path in sys.path if path not in {str(ROOT), str(ROOT / "dashboard")})]

# Streamlit looks into sys.modules for it, where the thread that makes ready may have put half of it: wait for all.
import pandas as pd  # noqa: E402, F401 - the path comes first

from dashboard.shell import main  # noqa: E402 - the path comes first

main()
