"""A state machine of the service: requests at random, and a model that knows better.

state        the ledger as it should be
operations   what a request does to it: which answer is right, and what is then
pointing     operations on a floating IP that its project keeps
allocating   operations that give addresses and take them back
operating    operations on servers, and those of operators
passing      time, and the sweep
media        bodies in JSON and in XML
world        the service and its clients
standing     the database, compared with the model
seeing       what clients see, compared with the model
draws        which requests are drawn
rules        one by one, or several at once
"""
