"""Thin Qt: one module or folder per dock panel on `panels._base.PanelBase`."""
