/*
 * The Pi that is none: a library to preload, in which the unmodified rpi_ws281x and a driver for spidev find the registers,
 * the mailbox, the DMA and the spidev of a Raspberry Pi, and which reads what they send off the wire, bit by bit.
 *
 * It needs no hardware, no root and no thread: the hardware moves on in tick(), which the library itself calls, as it
 * sleeps and looks at the clock between its steps. All of it is told and asked through one file that the test maps too:
 * struct state, mirrored in shim.py. Without that file it does nothing.
 *
 * Sources: BCM2835 ARM Peripherals (chapters 4 DMA, 6 GPIO, 8 PCM, 9 PWM) for registers, the firmware's mailbox property
 * interface for tags, linux/spi/spidev.h for ioctls, lib/ of rpi_ws281x 5.0.0 for what is touched and when.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What is shared with the test */

enum fault {
    NO_VCIO, ALLOC, LOCK, MAP_BUFFER, MAP_REGISTERS, WRONG_BOARD, DMA_ERROR, DMA_STUCK, CLOCK_STUCK, SPI_OPEN, SPI_IOCTL,
    SPI_TRANSFER, SEGV_OPEN, SEGV_RENDER, EMFILE_, ENOMEM_, EACCES_, FAULTS
};

#define WIRE_BYTES 16384
#define RAW_BYTES 65536
#define BLOCKS 4096

struct line {
    uint32_t frames, pins, length;
    uint8_t wire[WIRE_BYTES];
};

struct state {
    uint32_t revision, bufsiz, gpu_limit;
    struct { int32_t times, after; } faults[FAULTS];
    uint32_t opens, renders, gpu_blocks, gpu_bytes, bad_bits, hertz, raw_length;
    struct line lines[2];
    uint8_t raw[RAW_BYTES];
    uint32_t blocks[BLOCKS]; /* bytes of each block of GPU memory, 0 where it is free */
};

static struct state *state;

/* Does a fault strike on this occasion? */
static int strikes(enum fault fault)
{
    if (state->faults[fault].times == 0)
        return 0;
    if (state->faults[fault].after > 0) {
        state->faults[fault].after--;
        return 0;
    }
    if (state->faults[fault].times > 0)
        state->faults[fault].times--;
    return 1;
}

static int refused(enum fault fault, int code)
{
    if (!strikes(fault))
        return 0;
    errno = code;
    return 1;
}

/* Physical memory: one sparse file, as the CPU sees it */

#define PERIPHERALS 0x20000000u /* of a BCM2835; ARM Peripherals, 1.2.3 */
#define PERIPHERALS_SIZE 0x1000000u
#define GPU_MEMORY 0x01000000u
#define GPU_STRIDE 0x10000u /* each block has this much room */
#define UNCACHED 0xC0000000u /* of a bus address; ARM Peripherals, 1.2.3 */

#define REGISTER(offset) (*(volatile uint32_t *)(registers + (offset)))

static int memory = -1;
static volatile uint8_t *registers;

static void *real_mmap(void *address, size_t size, int protection, int flags, int file, off64_t offset)
{
#ifdef SYS_mmap2
    return (void *)syscall(SYS_mmap2, address, size, protection, flags, file, (long)(offset >> 12));
#else
    return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
#endif
}

static void power_on(void)
{
    if (memory >= 0)
        return;
    memory = (int)syscall(SYS_memfd_create, "memory of a Pi", MFD_CLOEXEC);
    if (ftruncate64(memory, 1LL << 32))
        abort();
    registers = real_mmap(NULL, PERIPHERALS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, PERIPHERALS);
}

/* The wire: three bits for each bit of the strip, 110 for a 1, 100 for a 0; silence ends it */

struct bits {
    const uint8_t *data;
    uint32_t length;           /* bytes */
    uint32_t first, step;      /* of the 32-bit words; a step of 0 is a stream of bytes */
    uint32_t at;               /* bits so far */
};

static int next_bit(struct bits *bits)
{
    uint32_t byte = bits->at / 8, bit = 7 - bits->at % 8;

    bits->at++;
    if (bits->step) /* a word goes out from its highest bit */
        byte = (bits->first + byte / 4 * bits->step) * 4 + 3 - byte % 4;
    return byte < bits->length ? bits->data[byte] >> bit & 1 : 0;
}

static void read_wire(struct line *line, struct bits bits, uint32_t pins)
{
    uint32_t length = 0, value = 0, count = 0;

    for (;;) {
        int high = next_bit(&bits), middle = next_bit(&bits), low = next_bit(&bits);

        if (!high && !middle && !low)
            break;
        if (!high || low || length == WIRE_BYTES) {
            state->bad_bits++;
            break;
        }
        value = value << 1 | (uint32_t)middle;
        if (++count % 8 == 0)
            line->wire[length++] = (uint8_t)value;
    }
    state->bad_bits += count % 8;
    line->length = length;
    line->pins = pins;
    line->frames++;
}

/* Pins that are switched to a function, of those that can be */

#define GPIO_FUNCTION_SELECT 0x200000u

static uint32_t pins_of(uint32_t pin, uint32_t function, uint32_t other, uint32_t other_function)
{
    uint32_t mask = 0;

    if ((REGISTER(GPIO_FUNCTION_SELECT + pin / 10 * 4) >> pin % 10 * 3 & 7) == function)
        mask |= 1u << pin;
    if (other && (REGISTER(GPIO_FUNCTION_SELECT + other / 10 * 4) >> other % 10 * 3 & 7) == other_function)
        mask |= 1u << other;
    return mask;
}

#define ALT0 4u
#define ALT5 2u

/* Hardware that moves */

#define DMA(channel) (0x7000u + 0x100u * (channel))
#define DMA_CONBLK 0x4u
#define DMA_ACTIVE 1u
#define DMA_END 2u
#define DMA_FAILED 0x100u
#define DMA_RESET 0x80000000u
#define DMA_CHANNELS 15u

#define PWM 0x20c000u
#define PWM_DMAC 0x8u
#define PWM_ENABLED 0x1u
#define PWM_DMA_ENABLED 0x80000000u
#define PERMAP_PWM 5u

#define PCM 0x203000u
#define PCM_ENABLED 0x1u
#define PCM_TXON 0x4u
#define PCM_TXE 0x200000u
#define PERMAP_PCM 2u

#define CLOCK_PCM 0x101098u
#define CLOCK_PWM 0x1010a0u
#define CLOCK_ENABLE 0x10u
#define CLOCK_KILL 0x20u
#define CLOCK_BUSY 0x80u

struct control_block {
    uint32_t info, source, destination, length;
};

static void run_clock(uint32_t clock)
{
    uint32_t control = REGISTER(clock);

    if (control & CLOCK_KILL)
        REGISTER(clock) = control & ~(CLOCK_BUSY | CLOCK_KILL | CLOCK_ENABLE);
    else if (control & CLOCK_ENABLE && !(control & CLOCK_BUSY) && !strikes(CLOCK_STUCK)) {
        REGISTER(clock) = control | CLOCK_BUSY;
        state->opens++;
    }
}

/* DMA only moves when the peripheral asks for data */
static int asks(uint32_t peripheral)
{
    if (peripheral == PERMAP_PWM)
        return REGISTER(PWM) & PWM_ENABLED && REGISTER(PWM + PWM_DMAC) & PWM_DMA_ENABLED && REGISTER(CLOCK_PWM) & CLOCK_BUSY;
    return peripheral == PERMAP_PCM && REGISTER(PCM) & PCM_ENABLED && REGISTER(PCM) & PCM_TXON;
}

static void send(const struct control_block *block, uint32_t peripheral)
{
    uint8_t *data = malloc(block->length);
    struct bits bits = {data, block->length, 0, peripheral == PERMAP_PWM ? 2 : 1, 0};

    if (pread64(memory, data, block->length, block->source & ~UNCACHED) != (ssize_t)block->length)
        abort();
    if (peripheral == PERMAP_PWM) {
        read_wire(&state->lines[0], bits, pins_of(12, ALT0, 18, ALT5));
        bits.first = 1;
        read_wire(&state->lines[1], bits, pins_of(13, ALT0, 19, ALT5));
    } else {
        read_wire(&state->lines[0], bits, pins_of(21, ALT0, 0, 0));
    }
    free(data);
}

/* Start what is to be sent, and say it is done */
static void run_dma(uint32_t channel)
{
    uint32_t status = REGISTER(DMA(channel)), peripheral;
    struct control_block block;

    if (status & DMA_RESET) {
        REGISTER(DMA(channel)) = 0;
        return;
    }
    if (!(status & DMA_ACTIVE) || status & DMA_FAILED)
        return;
    if (pread64(memory, &block, sizeof block, REGISTER(DMA(channel) + DMA_CONBLK) & ~UNCACHED) != sizeof block)
        abort();
    peripheral = block.info >> 16 & 31;
    if (!asks(peripheral))
        return;
    state->renders++;
    if (strikes(SEGV_RENDER))
        raise(SIGSEGV);
    if (strikes(DMA_ERROR)) {
        REGISTER(DMA(channel)) = (status & ~DMA_ACTIVE) | DMA_FAILED;
    } else if (strikes(DMA_STUCK)) {
        REGISTER(DMA(channel) + DMA_CONBLK) = 0; /* of no peripheral: it stays active */
    } else {
        send(&block, peripheral);
        REGISTER(DMA(channel)) = (status & ~DMA_ACTIVE) | DMA_END;
    }
}

/* Let the hardware do what it can; is any of it still at work? */
static int tick(void)
{
    uint32_t active = 0;

    run_clock(CLOCK_PWM);
    run_clock(CLOCK_PCM);
    REGISTER(PCM) |= PCM_TXE;
    for (uint32_t channel = 0; channel < DMA_CHANNELS; channel++) {
        run_dma(channel);
        active |= REGISTER(DMA(channel)) & DMA_ACTIVE;
    }
    return active != 0;
}

/* The mailbox to the GPU: a message has its size, a code, then a tag with its size, a code and values */

#define MAILBOX_IOCTL 100 /* its type */
#define TAG_ALLOCATE 0x3000cu
#define TAG_LOCK 0x3000du
#define TAG_UNLOCK 0x3000eu
#define TAG_RELEASE 0x3000fu

static uint32_t allocate(uint32_t size)
{
    if (strikes(ALLOC) || size > GPU_STRIDE || state->gpu_bytes + size > state->gpu_limit)
        return 0;
    for (uint32_t handle = 1; handle < BLOCKS; handle++)
        if (!state->blocks[handle]) {
            state->blocks[handle] = size;
            state->gpu_blocks++;
            state->gpu_bytes += size;
            return handle;
        }
    return 0;
}

static void release(uint32_t handle)
{
    if (handle >= BLOCKS || !state->blocks[handle])
        return;
    state->gpu_blocks--;
    state->gpu_bytes -= state->blocks[handle];
    state->blocks[handle] = 0;
}

static int mailbox(uint32_t *message)
{
    uint32_t *value = &message[5];

    switch (message[2]) {
    case TAG_ALLOCATE:
        *value = allocate(*value);
        break;
    case TAG_LOCK:
        if (refused(LOCK, EINVAL))
            return -1;
        *value = UNCACHED | (GPU_MEMORY + *value * GPU_STRIDE);
        break;
    case TAG_RELEASE:
        release(*value);
        break;
    case TAG_UNLOCK:
        *value = 0;
        break;
    }
    message[1] = 0x80000000u; /* request successful */
    return 0;
}

/* The spidev */

#define SPI_IOCTL_TYPE 'k'
#define SPI_MESSAGE 0
#define SPI_SPEED 4

struct spi_transfer { /* spi_ioc_transfer of linux/spi/spidev.h */
    uint64_t tx, rx;
    uint32_t length, hertz;
};

static long transfer(const uint8_t *data, uint32_t length)
{
    struct bits bits = {state->raw, length, 0, 0, 0};

    if (length > state->bufsiz || length > RAW_BYTES) {
        errno = EMSGSIZE;
        return -1;
    }
    if (refused(SPI_TRANSFER, EIO))
        return -1;
    if (strikes(SEGV_RENDER))
        raise(SIGSEGV);
    state->renders++;
    memcpy(state->raw, data, length);
    state->raw_length = length;
    while (bits.at / 8 < length && !data[bits.at / 8])
        bits.at += 8;
    read_wire(&state->lines[0], bits, 1u << 10);
    return length;
}

static int spi(unsigned long request, void *argument)
{
    const struct spi_transfer *message = argument;

    if ((request & 0xff) == SPI_MESSAGE) {
        state->hertz = message->hertz;
        return (int)transfer((const uint8_t *)(uintptr_t)message->tx, message->length);
    }
    if (refused(SPI_IOCTL, EINVAL))
        return -1;
    if ((request & 0xff) == SPI_SPEED && request & 0x40000000u)
        state->hertz = *(uint32_t *)argument;
    return 0;
}

/* Files */

enum kind { OTHER, MEMORY, MAILBOX, SPI };

#define FILES 4096
static uint8_t kinds[FILES];

static int begins(const char *path, const char *start)
{
    return strncmp(path, start, strlen(start)) == 0;
}

static int keep(int file, enum kind kind)
{
    if (file >= FILES)
        abort();
    if (file >= 0)
        kinds[file] = kind;
    return file;
}

/* Open a device of the Pi; -2 where it is none */
static int open_device(const char *path, int flags)
{
    int spidev = begins(path, "/dev/spidev"), memories = begins(path, "/dev/mem") || begins(path, "/dev/gpiomem");
    int cloexec = flags & O_CLOEXEC;

    if (begins(path, "/dev/vcio") || begins(path, "/dev/mailbox")) {
        if (refused(NO_VCIO, ENOENT))
            return -1;
        return keep((int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | cloexec), MAILBOX);
    }
    if (!spidev && !memories)
        return -2;
    if (refused(EMFILE_, EMFILE) || refused(EACCES_, EACCES))
        return -1;
    if (spidev) {
        if (refused(SPI_OPEN, ENOENT))
            return -1;
        state->opens++;
        return keep((int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | cloexec), SPI);
    }
    power_on();
    return keep((int)syscall(SYS_fcntl, memory, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0), MEMORY);
}

static int text_file(const char *format, uint32_t value)
{
    int file = (int)syscall(SYS_memfd_create, "a file of a Pi", 0);

    dprintf(file, format, value);
    lseek(file, 0, SEEK_SET);
    return file;
}

/* Open a file that tells of the Pi; -2 where it is none */
static int open_text(const char *path)
{
    if (strcmp(path, "/sys/module/spidev/parameters/bufsiz") == 0)
        return text_file("%u\n", state->bufsiz);
    if (strcmp(path, "/proc/cpuinfo") == 0)
        return text_file(strikes(WRONG_BOARD) ? "Hardware\t: none\n" : "Revision\t: %06x\n", state->revision);
    if (strcmp(path, "/proc/device-tree/system/linux,revision") == 0) {
        uint32_t revision = __builtin_bswap32(strikes(WRONG_BOARD) ? 0 : state->revision);
        int file = text_file("", 0);

        if (write(file, &revision, sizeof revision) < 0)
            abort();
        lseek(file, 0, SEEK_SET);
        return file;
    }
    return -2;
}

static int any_open(const char *path, int flags, mode_t mode)
{
    int file = -2;

    if (state && path && path[0] == '/') {
        file = open_device(path, flags);
        if (file == -2)
            file = open_text(path);
    }
    return file == -2 ? (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode) : file;
}

#define OPEN(name)                                    \
    int name(const char *path, int flags, ...)        \
    {                                                 \
        va_list rest;                                 \
        mode_t mode;                                  \
                                                      \
        va_start(rest, flags);                        \
        mode = (mode_t)va_arg(rest, int);             \
        va_end(rest);                                 \
        return any_open(path, flags, mode);           \
    }

OPEN(open)
OPEN(open64)

static FILE *any_fopen(const char *path, const char *mode, const char *name)
{
    FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *))dlsym(RTLD_NEXT, name);
    int file = state && path ? open_text(path) : -2;

    return file == -2 ? real(path, mode) : fdopen(file, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return any_fopen(path, mode, "fopen");
}

FILE *fopen64(const char *path, const char *mode)
{
    return any_fopen(path, mode, "fopen64");
}

int mknod(const char *path, mode_t mode, dev_t device)
{
    if (state && begins(path, "/dev/mailbox"))
        return 0;
    return (int)syscall(SYS_mknodat, AT_FDCWD, path, mode, device);
}

int close(int file)
{
    if (file >= 0 && file < FILES)
        kinds[file] = OTHER;
    return (int)syscall(SYS_close, file);
}

static enum kind kind_of(int file)
{
    return state && file >= 0 && file < FILES ? kinds[file] : OTHER;
}

ssize_t write(int file, const void *data, size_t size)
{
    return kind_of(file) == SPI ? transfer(data, (uint32_t)size) : syscall(SYS_write, file, data, size);
}

int ioctl(int file, unsigned long request, ...)
{
    va_list rest;
    void *argument;

    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    if (kind_of(file) == MAILBOX && (request >> 8 & 0xff) == MAILBOX_IOCTL)
        return mailbox(argument);
    if (kind_of(file) == SPI && (request >> 8 & 0xff) == SPI_IOCTL_TYPE)
        return spi(request, argument);
    return (int)syscall(SYS_ioctl, file, request, argument);
}

void *mmap64(void *address, size_t size, int protection, int flags, int file, off64_t offset)
{
    if (!(flags & MAP_ANONYMOUS) && kind_of(file) == MEMORY) {
        uint32_t place = (uint32_t)offset;

        if (strikes(SEGV_OPEN))
            raise(SIGSEGV);
        if (refused(ENOMEM_, ENOMEM) || refused(place >= PERIPHERALS ? MAP_REGISTERS : MAP_BUFFER, ENOMEM))
            return MAP_FAILED;
        offset = place;
    }
    return real_mmap(address, size, protection, flags, file, offset);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return mmap64(address, size, protection, flags, file, (off64_t)offset);
}

int usleep(useconds_t microseconds)
{
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};

    if (state && registers && !tick())
        return 0; /* nothing to wait for: no time passes on this wire */
    return nanosleep(&time, NULL);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static int (*real)(clockid_t, struct timespec *);

    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (state && registers && clock == CLOCK_MONOTONIC_RAW)
        tick();
    return real(clock, time);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAKEPI_STATE");
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;

    if (file < 0)
        return;
    state = real_mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (state == MAP_FAILED)
        state = NULL;
    syscall(SYS_close, file);
}
