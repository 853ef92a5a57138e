/** @file arm_mjcf.h  The seven-joint arm of `reacher7dof` and `pusher` as MJCF text.
 *
 * Both are the arm of handful-of-trials (Chua et al. 2018); they differ in where it stands, in the
 * attributes of its joints (ranges, damping), in the length of one capsule and in the hand.
 */
#ifndef MBRL_ENVIRONMENTS_ARM_MJCF_H
#define MBRL_ENVIRONMENTS_ARM_MJCF_H

#define ARM_JOINT(name, axis, attributes) "<joint name='" name "' axis='" axis "' " attributes "/>"

/* base: its y (m); pan .. spin: attributes of the joints from the shoulder on; length: of the
 * forearm's capsule (m); hand: what hangs on the wrist */
#define ARM_BODIES(base, pan, lift, roll, elbow, twist, length, wrist, spin, hand)               \
    "<body name='r_shoulder_pan_link' pos='0 " base " 0'>" ARM_JOINT(                            \
        "r_shoulder_pan_joint", "0 0 1",                                                         \
        pan) "  <geom type='sphere' pos='-0.06 0.05 0.2' size='0.05'/>"                          \
             "  <geom type='sphere' pos='0.06 0.05 0.2' size='0.05'/>"                           \
             "  <geom type='sphere' pos='-0.06 0.09 0.2' size='0.03'/>"                          \
             "  <geom type='sphere' pos='0.06 0.09 0.2' size='0.03'/>"                           \
             "  <geom fromto='0 0 -0.4 0 0 0.2' size='0.1'/>"                                    \
             "  <body name='r_shoulder_lift_link' pos='0.1 0 0'>" ARM_JOINT(                     \
                 "r_shoulder_lift_joint", "0 1 0",                                               \
                 lift) "  <geom fromto='0 -0.1 0 0 0.1 0' size='0.1'/>"                          \
                       "  <body name='r_upper_arm_roll_link'>" ARM_JOINT(                        \
                           "r_upper_arm_roll_joint", "1 0 0",                                    \
                           roll) "  <geom fromto='-0.1 0 0 0.1 0 0' size='0.02'/>"               \
                                 "  <body name='r_upper_arm_link'>"                              \
                                 "  <geom fromto='0 0 0 0.4 0 0' size='0.06'/>"                  \
                                 "  <body name='r_elbow_flex_link' pos='0.4 0 0'>" ARM_JOINT(    \
                                     "r_elbow_flex_joint", "0 1 0",                              \
                                     elbow) "  <geom fromto='0 -0.02 0 0 0.02 0' size='0.06'/>"  \
                                            "  <body name='r_forearm_roll_link'>" ARM_JOINT(     \
                                                "r_forearm_roll_joint", "1 0 0",                 \
                                                twist) "  <geom fromto='-0.1 0 0 0.1 0 0' "      \
                                                       "size='0.02'/>"                           \
                                                       "  <body name='r_forearm_link'>"          \
                                                       "  <geom fromto='0 0 0 " length           \
                                                       " 0 0' size='0.05'/>"                     \
                                                       "  <body name='r_wrist_flex_link' "       \
                                                       "pos='0.321 0 0'>" ARM_JOINT(             \
                                                           "r_wrist_flex_joint", "0 1 0",        \
                                                           wrist) "  <geom fromto='0 -0.02 0 0 " \
                                                                  "0.02 0' size='0.01'/>"        \
                                                                  "  <body "                     \
                                                                  "name='r_wrist_roll_link'"     \
                                                                  ">" ARM_JOINT(                 \
                                                                      "r_wrist_roll_joint",      \
                                                                      "1 0 0", spin) hand        \
        "  </body></body></body></body></body></body></body></body></body>"

#define ARM_ACTUATOR                            \
    "<actuator>"                                \
    "  <motor joint='r_shoulder_pan_joint'/>"   \
    "  <motor joint='r_shoulder_lift_joint'/>"  \
    "  <motor joint='r_upper_arm_roll_joint'/>" \
    "  <motor joint='r_elbow_flex_joint'/>"     \
    "  <motor joint='r_forearm_roll_joint'/>"   \
    "  <motor joint='r_wrist_flex_joint'/>"     \
    "  <motor joint='r_wrist_roll_joint'/>"     \
    "</actuator>"

#endif
