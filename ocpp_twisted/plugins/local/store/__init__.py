"""The records of the plug-in ``local``: what is kept in its database, how it is read and changed.

``database`` opens it, ``tables`` says what is in it, ``writer`` runs jobs in it: functions whose
first argument is a connection in a transaction. The other modules are such functions, one module
for each kind of record. They know records and tables, no messages and no Deferreds. A job may be
run twice, because its first run was rolled back: so it does nothing but read and write there, and
doing it again for the same message changes nothing.
"""
