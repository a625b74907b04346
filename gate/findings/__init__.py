"""What a finding is worth: merge over scanners, VEX, grace, waivers. Pure functions over values."""
