"""What people decided about labels in a review: issues that they kept, and answers of an audit."""
