"""What several commands share: their options, and how they find a network and images, and start and follow jobs."""
