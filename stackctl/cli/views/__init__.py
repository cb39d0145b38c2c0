"""How a command's data is shown as text: a module for each that has more than operations to show."""
