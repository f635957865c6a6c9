"""The room that knows napari's layers: adapters, the session, overlays, sample data."""
