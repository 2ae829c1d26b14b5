"""The servers that are measured. Each is a program: ``PORT [CERTIFICATE KEY]``, ready once it
has printed ``ready``.
"""
