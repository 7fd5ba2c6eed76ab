"""How every subcommand behaves at a shell.

A subcommand that talks to a broker is written like this::

    @click.command("list")
    @client_option                                  # --brokers, FLUX_BROKERS: an open client, closed at the end
    @printer_option                                 # --format: a table in a terminal, tabs in a pipe, or JSON
    def list_(client: BlockingClient, printer: Printer) -> None:
        '''Say which topics there are.'''
        topics = client.admin_get_metadata().topics
        printer.report({"topics": topics}, Rows(["topic"], [[name] for name in topics]))

Read: :mod:`~flux.cli.shell.failing` (exceptions to sentences and exit codes; a subcommand lets a FluxError pass),
:mod:`~flux.cli.shell.interrupting` (Ctrl-C, not in the middle of something), :mod:`~flux.cli.shell.connecting`,
:mod:`~flux.cli.shell.printing`, :mod:`~flux.cli.shell.progress` (bars, in a terminal only), :mod:`~flux.cli.shell.moments` (timestamps),
:mod:`~flux.cli.shell.octets` (keys and values), :mod:`~flux.cli.shell.naming` (arguments that complete, and topics that have to exist).

Must not know what any subcommand does. Whatever it knows of the wire it knows through :mod:`flux.client`, which it imports late:
``flux --help`` needs none of it.
"""
