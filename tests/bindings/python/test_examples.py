# SPDX-License-Identifier: MIT
"""The scripts of examples/python, as a reader would run them."""

import tempfile
from pathlib import Path

from support import ROOT, SHARED, Case, child, needs


class Examples(Case):
    def run_script(self, name, folder, trees=None):
        """Runs a script; a smaller one if `trees` says so."""
        code = (ROOT / "examples" / "python" / name).read_text("utf-8")
        path = ROOT / "examples" / "python" / name
        if trees:
            code = code.replace("TREES, TRIALS = 60, 5", f"TREES, TRIALS = {trees}, 2")
        return child(f"__file__ = {str(path)!r}\nexec(compile({code!r}, __file__, 'exec'))",
                     folder).stdout

    def test_notebook(self):
        with tempfile.TemporaryDirectory() as folder:
            out = self.run_script("notebook.py", folder, trees=10)
            self.assertIn("roc_auc 0.9", out)
            self.assertTrue((Path(folder) / "income.mlm").exists())
            self.assertIn("Income", (Path(folder) / "report.html").read_text("utf-8"))

    def test_history(self):
        folder = SHARED / "movielens_latest_small"
        if not folder.exists():
            self.skipTest("the shared data are not there")
        code = (ROOT / "examples" / "python" / "history.py").read_text("utf-8")
        out = child(f"import sys\nsys.argv = ['history.py', {str(folder)!r}]\n{code}",
                    "").stdout
        scores = [float(line.split()[-1]) for line in out.splitlines() if "history" in line]
        self.assertLess(scores[1], scores[0] - 0.1)

    @needs("pandas", "polars", "duckdb")
    def test_frames(self):
        out = self.run_script("frames.py", "")
        self.assertIn("DuckDB", out)
