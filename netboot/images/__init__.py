"""What an image is, pure rules: drivers, boot images, versions, distribution."""
