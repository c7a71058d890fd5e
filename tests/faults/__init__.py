"""`make faults`: breaks every call and step on purpose and checks the exporter's six rules afterwards."""
