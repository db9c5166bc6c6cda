"""What works behind the screens: the labels' writer, pictures ahead of time, the line to the terminal."""
