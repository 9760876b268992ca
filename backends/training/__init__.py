"""What Trainers share, and the trainings by sentence-transformers' Trainers, which two engines build upon."""
