/* PID controllers with anti-windup and a filtered derivative, each driving a simulated second-order plant. The including
 * file defines `real` and MIX. */
#include "bench.h"

struct pid {
    real kp, ki, kd, dt, low, high, integral, previous, derivative;
};

struct plant {
    real position, velocity, inertia, damping, stiffness;
};

static real pid_step(struct pid *c, real target, real measured)
{
    real error = target - measured;
    real slope = (error - c->previous) / c->dt;
    c->derivative += (real)0.2 * (slope - c->derivative);
    c->previous = error;
    real proposed = c->integral + error * c->dt;
    real out = c->kp * error + c->ki * proposed + c->kd * c->derivative;
    if (out > c->high) {
        out = c->high;
        if (error < 0) c->integral = proposed;
    } else if (out < c->low) {
        out = c->low;
        if (error > 0) c->integral = proposed;
    } else {
        c->integral = proposed;
    }
    return out;
}

static void plant_step(struct plant *p, real force, real dt)
{
    real acceleration = (force - p->damping * p->velocity - p->stiffness * p->position) / p->inertia;
    p->velocity += acceleration * dt;
    p->position += p->velocity * dt;
}

static const real targets[2] = {1, (real)-0.5};

u32 run(u32 n)
{
    u32 seed = 11, sum = 0;
    struct pid controllers[4];
    struct plant plants[4];
    for (u32 i = 0; i < 4; i++) {
        real gain = (real)(i + 1);
        struct pid c = {4 * gain, 2 * gain, (real)0.5, (real)0.01, -20, 20, 0, 0, 0};
        struct plant p = {0, 0, (real)0.5 + gain / 4, (real)0.8, (real)1.5};
        controllers[i] = c;
        plants[i] = p;
    }
    for (u32 step = 0; step < n; step++) {
        real target = targets[step / 200 % 2];
        for (u32 i = 0; i < 4; i++) {
            real noise = (real)(i32)(next_random(&seed) & 255) * (real)(1.0 / 65536);
            real force = pid_step(&controllers[i], target, plants[i].position + noise);
            plant_step(&plants[i], force, controllers[i].dt);
        }
        if (step % 16 == 0) sum = MIX(sum, plants[step / 16 % 4].position);
    }
    return sum;
}
