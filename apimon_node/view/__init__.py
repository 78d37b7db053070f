"""The page: what is known of the fleet, served to browsers. In no node's path; needs the extra [view]."""
