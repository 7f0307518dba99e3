"""How schemathesis sends a gateway configuration: as the text that it is."""
import schemathesis

schemathesis.serializer.alias("application/json5", "text/plain")
