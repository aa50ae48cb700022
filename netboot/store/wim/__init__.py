"""WIM files: libwim in a confined worker process, inspection, servicing and builds."""
