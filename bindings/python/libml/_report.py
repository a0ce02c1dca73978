# SPDX-License-Identifier: MIT
"""Reports: one self-contained HTML page about data, models and studies."""

from libml import _params
from libml._context import context_pointer
from libml._core import Handle, call, documented, encode, expect, lib, make, path_bytes
from libml._io import Writer
from libml._model import Model
from libml._study import Study
from libml._table import as_table

__all__ = ["Report"]


class Report(Handle):
    """One self-contained HTML page: inline graphics, no script from elsewhere, light and
    dark. A notebook shows it in place.

    >>> import libml
    >>> report = libml.Report("My data")
    >>> _ = report.add_profile("Profile", {"x": [1, 2, 3]})
    >>> report.to_html()[:15].lower()
    '<!doctype html>'
    """

    __slots__ = ("title",)
    _kind = "ml_report"

    def __init__(self, title, *, context=None):
        self._p = make("ml_report", lib.ml_report_new, context_pointer(context),
                       encode(title, "title"))
        self.title = title

    @documented("ml_report_add_table")
    def add_table(self, title, table):
        call(lib.ml_report_add_table, self._p, encode(title, "title"), as_table(table)._p)
        return self

    @documented("ml_report_add_profile")
    def add_profile(self, title, table, target=None, **options):
        """Options: libml.describe("options.profile")."""
        if target is not None:
            options["target"] = target
        call(lib.ml_report_add_profile, self._p, encode(title, "title"), as_table(table)._p,
             _params.options(options, None))
        return self

    @documented("ml_report_add_model")
    def add_model(self, title, model, test=None):
        call(lib.ml_report_add_model, self._p, encode(title, "title"),
             expect(model, Model, "model"), None if test is None else as_table(test)._p)
        return self

    @documented("ml_report_add_study")
    def add_study(self, title, study):
        call(lib.ml_report_add_study, self._p, encode(title, "title"),
             expect(study, Study, "study"))
        return self

    @documented("ml_report_save_file")
    def save(self, path):
        """`path` may be a file opened for writing bytes."""
        if hasattr(path, "write"):
            with Writer(path) as stream:
                stream.call(lib.ml_report_save_io, self._p, stream.pointer)
        else:
            call(lib.ml_report_save_file, self._p, path_bytes(path))

    def to_html(self):
        """The page as text."""
        from io import BytesIO
        buffer = BytesIO()
        self.save(buffer)
        return buffer.getvalue().decode("utf-8")

    def _repr_html_(self):
        from html import escape
        return (f'<iframe srcdoc="{escape(self.to_html(), quote=True)}" '
                'style="width:100%;height:40em;border:0" sandbox></iframe>')

    def __repr__(self):
        return f"<libml.Report {self.title!r}{', closed' if self.closed else ''}>"
