"""What the kernel of a Raspberry Pi calls things, each with the place where it was seen."""

CHARACTER_DEVICES = {
    "mem": 1,  # /proc/devices of each Linux; drivers/char/mem.c
    "misc": 10,  # likewise; drivers/char/misc.c
    "spi": 153,  # drivers/spi/spidev.c: SPIDEV_MAJOR, register_chrdev(SPIDEV_MAJOR, "spi", …)
}
"""Major numbers of character devices by the names in /proc/devices, which are those that systemd looks up."""

PROC_DEVICES = "Character devices:\n" + "".join(f"{major:3d} {name}\n" for name, major in CHARACTER_DEVICES.items())
"""What /proc/devices says where SPI is switched on, without the devices that no unit names."""
