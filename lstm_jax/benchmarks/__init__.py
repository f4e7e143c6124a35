"""How fast everything is: layers beside other implementations, whole epochs, lanes, text."""
