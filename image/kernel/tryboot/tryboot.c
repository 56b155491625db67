// SPDX-License-Identifier: GPL-2.0
/*
 * Passes "tryboot" of a reboot command on to the firmware of a Raspberry Pi.
 *
 * reboot(2) with LINUX_REBOOT_CMD_RESTART2 and "0 tryboot" asks the firmware
 * to follow the [tryboot] section of autoboot.txt at the next start; the start
 * after that one is as usual. The mainline kernel can talk to the firmware, but
 * does not look at the command.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

/* The mainline header does not have them. */
#define SET_REBOOT_FLAGS	0x00038064
#define REBOOT_FLAG_TRYBOOT	0x1

static struct rpi_firmware *firmware;

static int tryboot_notify(struct notifier_block *nb, unsigned long action, void *command)
{
	u32 flags = REBOOT_FLAG_TRYBOOT;
	int ret;

	if (action != SYS_RESTART || !command || !strstr(command, " tryboot"))
		return NOTIFY_DONE;

	ret = rpi_firmware_property(firmware, SET_REBOOT_FLAGS, &flags, sizeof(flags));
	if (ret)
		pr_err("the firmware refused: %d; it will start as usual\n", ret);
	return NOTIFY_DONE;
}

static struct notifier_block tryboot_notifier = {
	.notifier_call = tryboot_notify,
};

static int __init tryboot_init(void)
{
	struct device_node *node = rpi_firmware_find_node();
	int ret;

	if (!node)
		return -ENODEV;
	firmware = rpi_firmware_get(node);
	of_node_put(node);
	if (!firmware)
		return -EAGAIN;

	ret = register_reboot_notifier(&tryboot_notifier);
	if (ret) {
		rpi_firmware_put(firmware);
		return ret;
	}
	pr_info("ready\n");
	return 0;
}
module_init(tryboot_init);

static void __exit tryboot_exit(void)
{
	unregister_reboot_notifier(&tryboot_notifier);
	rpi_firmware_put(firmware);
}
module_exit(tryboot_exit);

static const struct of_device_id tryboot_of_match[] = {
	{ .compatible = "raspberrypi,bcm2835-firmware" },
	{ }
};
MODULE_DEVICE_TABLE(of, tryboot_of_match);

MODULE_DESCRIPTION("Raspberry Pi tryboot by reboot command");
MODULE_AUTHOR("The store box project");
MODULE_LICENSE("GPL");
