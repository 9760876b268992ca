"""From records to rows: data formats. Adding one means adding a class to its family's file."""
