"""Known bugs that are put back one by one, to show that the tests would find them; each module has one `plant`."""
