"""How the picture gets onto a strip: the pacing (pure), and a driver for each kind of strip."""
