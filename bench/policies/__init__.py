"""What the shipped policies say of ordinary images: how many pass, and by which reason the others are refused."""
