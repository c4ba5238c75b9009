"""A worker of Windlass: leases operations over HTTP and runs them through cloudify-common's own dispatcher."""

__version__ = "0.1.0"
