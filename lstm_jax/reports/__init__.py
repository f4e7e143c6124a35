"""Pictures and tables of finished work."""
