/* A library that answers NVML's calls as the environment says: FAKE_GPUS cards, with the MiB
   of FAKE_USED (comma-separated) in use; calls named in FAKE_FAILS fail;
   while the file FAKE_GONE exists, everything does. Built by the tests; see nvml.h for the real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, GPU_IS_LOST = 15 };

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned int gpu, memory; } Utilization;

static int cards(void) { const char *text = getenv("FAKE_GPUS"); return text ? atoi(text) : 0; }

static int fault(const char *call) {
    const char *gone = getenv("FAKE_GONE"), *fails = getenv("FAKE_FAILS");
    if (gone && access(gone, F_OK) == 0) return GPU_IS_LOST;
    return fails && strstr(fails, call) ? NOT_SUPPORTED : SUCCESS;
}

int nvmlInitWithFlags(unsigned int flags) { (void)flags; return fault("Init"); }
int nvmlInit_v2(void) { return fault("Init"); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "an error of the test"; }

int nvmlSystemGetDriverVersion(char *text, unsigned int size) {
    snprintf(text, size, "999.1");
    return fault("Driver");
}
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = (unsigned)cards(); return fault("Count"); }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    if ((int)index >= cards()) return INVALID_ARGUMENT;
    *device = (void *)(size_t)(index + 1);
    return fault("Handle");
}
int nvmlDeviceGetName(void *device, char *text, unsigned int size) {
    if (fault("Utf8")) { snprintf(text, size, "\xff\xfe"); return SUCCESS; }
    snprintf(text, size, "NVIDIA Test %zu", (size_t)device - 1);
    return fault("Name");
}
int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    memory->total = 80ULL << 30;
    const char *used = getenv("FAKE_USED");
    memory->used = ((unsigned long long)(size_t)device) << 33;
    for (size_t at = 1; used; at++, used = strchr(used, ',') ? strchr(used, ',') + 1 : NULL)
        if (at == (size_t)device) memory->used = strtoull(used, NULL, 10) << 20;
    memory->free = memory->total - memory->used;
    return fault("Memory");
}
int nvmlDeviceGetUtilizationRates(void *device, Utilization *rates) {
    (void)device;
    rates->gpu = 93;
    rates->memory = 40;
    return fault("Utilization");
}
int nvmlDeviceGetPowerUsage(void *device, unsigned int *power) { (void)device; *power = 287500; return fault("Power"); }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *degrees) {
    (void)device; (void)sensor;
    *degrees = 64;
    return fault("Temperature");
}
