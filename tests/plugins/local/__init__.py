"""The plug-in ``local``, driven over a central system with wire text in and out."""
