"""The smallest change of a picture, or of its code, that moves a score.

``target`` is what is attacked, ``gradient`` where its score rises, ``steps`` the
attacks, ``sweep`` what becomes of the score along them, ``minimal`` how far is enough.
"""
