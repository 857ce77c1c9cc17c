"""What a user's energy is: calling it, hoisting, parameters, rows and initial values."""
