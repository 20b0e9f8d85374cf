"""What `odyssey bench` measures: the project's budgets, each as a figure of one run."""
